"""kbimg: KubeOS images as a doit task graph."""
