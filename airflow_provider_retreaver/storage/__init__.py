"""Files on object storage: state of runs, snapshots, lists."""
