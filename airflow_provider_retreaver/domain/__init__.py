"""What Retreaver's rules mean, and the procedures that read and change its objects."""
