"""The comparison: servers and scenarios are data beside this directory; here is what drives them."""
