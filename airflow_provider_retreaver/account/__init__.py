"""Account as code: a Retreaver account as YAML files that are exported, planned, applied and compared."""
