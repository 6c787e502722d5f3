"""What is computed from the scores of an attacker: rates, curves, bits, intervals."""
