"""The Streamlit dashboard; it shows and calls the pipeline package, and decides nothing itself."""
