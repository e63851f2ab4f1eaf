"""Worker processes that compute answers, and the shapes of what they return. A worker can be ended at any time."""
