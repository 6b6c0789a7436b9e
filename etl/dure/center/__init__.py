"""The standards center: what hospitals send is received, verified, compared, shown and cut for projects."""
