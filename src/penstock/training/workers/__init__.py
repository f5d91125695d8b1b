"""Processes that train one model together: started, watched, and ended by the attempt's own process."""
