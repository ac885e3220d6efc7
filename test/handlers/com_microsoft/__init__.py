"""What of com.microsoft is checked: tables of cases by family; test_com_microsoft.py runs and counts them."""
