"""The API described for machines and people: OpenAPI and the shapes of answers."""
