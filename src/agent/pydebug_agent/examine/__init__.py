"""What the node and the target allow."""
