"""The overview and the wall page: status, cards, next steps and recent activity."""
