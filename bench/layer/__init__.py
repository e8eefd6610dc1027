"""What a quantized layer is: training and deployment agree on it here."""
