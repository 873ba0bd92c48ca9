"""`doit report`: one HTML file about what is in the output directory."""
