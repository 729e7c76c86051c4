"""What has to be made of a benchmark's downloads before its questions can be asked."""
