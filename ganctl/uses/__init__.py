"""The mathematics of what a trained generator is used for, apart from commands and files."""
