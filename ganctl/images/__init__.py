"""Images: drawn, written, and passed through pretrained networks."""
