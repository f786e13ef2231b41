"""What StyleGAN2's networks are made of (Karras et al. 2020)."""
