"""Records: what a result file holds, where it lies, and what others have published."""
