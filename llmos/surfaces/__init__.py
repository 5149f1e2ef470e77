"""What people and other programs touch. Nothing is decided here."""
