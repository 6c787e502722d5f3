"""What an assessment says, in files and pages. All of it needs the extra `assess`, which is asked for here, at once."""

from ganonym.extras import require

require("assess", "an assessment")
