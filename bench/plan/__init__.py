"""What is measured, and whether an earlier record still holds."""
