"""A page that shows a conversion: verdict, signature, operators, errors by depth, memory orders, sizes and seconds."""
