"""The anonymizers everybody knows, to measure ours against: pictures in, pictures out, and no promise at all."""
