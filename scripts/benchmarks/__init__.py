"""Speed and memory of ganctl beside plain PyTorch."""
