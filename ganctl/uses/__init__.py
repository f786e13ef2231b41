"""What a trained generator is good for, beyond samples: pure functions of tensors and networks."""
