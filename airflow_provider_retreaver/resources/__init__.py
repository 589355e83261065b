"""One module a resource: functions that return operations and listings, one per documented endpoint."""
