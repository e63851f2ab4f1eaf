"""What changes readings after they were stored, and how that is taken back."""
