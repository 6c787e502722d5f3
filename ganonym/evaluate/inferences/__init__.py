"""What released pictures tell beyond names."""
