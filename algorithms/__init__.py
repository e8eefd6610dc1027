"""One folder per algorithm: the folder is the registration."""
