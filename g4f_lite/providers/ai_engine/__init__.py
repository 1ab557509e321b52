"""Any WordPress site that runs the plugin AI Engine, and chatgpt4online.org on it."""
