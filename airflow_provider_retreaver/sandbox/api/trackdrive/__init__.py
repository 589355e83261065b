"""TrackDrive's API in the sandbox: buyer groups, and the buyers in them."""
