"""Speed and memory of ganctl compared with plain PyTorch."""
