"""The file of `ganctl report`: what run folders hold, thinned, and one page that shows it."""
