"""Training: from a method's recipe and a folder of pictures to a weights file and the record of how it was made."""
