"""What the vendor's rules mean: caps, and the procedures that change them safely."""
