"""Privacy is given to the shape, once, here; whatever synthesis does afterwards is post-processing."""
