"""Weights of StyleGAN2-ADA's pickles as safetensors; nothing in a pickle is run."""
