"""What a run of a baseline leaves to read, as bytes: the tables and a report that promises nothing."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ganonym.baselines.methods import ABOUT, FACE_ALONE, NO_GUARANTEE, BaselineSettings


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    r"""A CSV file with a header.

    >>> table(("a", "b"), [("1", "x,y")])
    b'a,b\n1,"x,y"\n'
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def report(
    settings: BaselineSettings,
    pictures: int,
    faces: int,
    subjects: int,
    reasons: Mapping[str, int],
    notes: Sequence[str],
    made: str,
) -> bytes:
    """REPORT.md: how many `pictures` with how many `faces` of `subjects` came out, and why others did not.

    `made` names version and weights. The same arguments give the same bytes.
    """
    alone = settings.method in FACE_ALONE
    lines = [f"# Report of a ganonym baseline: {settings.method}", "", f"**{NO_GUARANTEE}.**", ""]
    kind = "faces" if alone else f"photos with {faces} filtered faces"
    lines += [f"{pictures} {kind} of {subjects} subjects were made; {sum(reasons.values())} are withheld."]
    if reasons:
        lines += ["", "| withheld because | count |", "|---|---|"]
        lines += [f"| {reason} | {count} |" for reason, count in reasons.items()]
    lines += ["", "## What was done", "", f"- {ABOUT[settings.method]}."]
    lines += [
        "- Other faces of a photo are left out with all of their pixels."
        if alone
        else "- Faces that the detector does not see stay as they are. Nothing was verified but that each face found "
        "was changed."
    ]
    lines += [f"- {note}" for note in notes]
    lines += [
        "- No file carries metadata; file names are keyed pseudonyms. `private/` and the key undo them.",
        f"- {made}",
    ]
    lines += ["", "| setting | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in settings.relevant().items() if value is not None]
    return "\n".join([*lines, ""]).encode()


def count(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason occurs, the most frequent first.

    >>> count(["tiny", "no-face", "no-face"])
    {'no-face': 2, 'tiny': 1}
    """
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))
