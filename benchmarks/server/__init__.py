"""A fast paged server of calls for the export benchmark."""
