"""From any source to one prepared format (`prepared`), augmented or corrupted."""
