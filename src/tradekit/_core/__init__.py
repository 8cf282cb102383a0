"""The hall: values, errors and the four interfaces that every room stands on."""
