"""What accuracy and robustness share: test sets, trained weights, networks run over whole pictures."""
