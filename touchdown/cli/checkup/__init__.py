"""What ``touchdown doctor`` looks at, one module a part of the page."""
