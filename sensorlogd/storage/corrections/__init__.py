"""What changes readings after they were stored, or stores them among others that are there, and how that is taken back."""
