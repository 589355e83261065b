"""TrackDrive's buyer groups: comparing and changing them, their members, resets and invitations."""
