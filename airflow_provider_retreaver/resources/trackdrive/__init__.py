"""TrackDrive's endpoints, one module for each resource; paths are relative to the base URL, `…/api/v1`."""
