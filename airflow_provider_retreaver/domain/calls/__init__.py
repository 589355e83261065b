"""The call log: windows, pages, fields, exports."""
