"""What people look at: the Streamlit app; it holds no rules of its own."""
