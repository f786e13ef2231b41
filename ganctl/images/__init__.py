"""Images: drawn, written, and looked at by networks that others trained."""
