"""Pictures of any task: files, resizing, test sets, scores, corruptions."""
