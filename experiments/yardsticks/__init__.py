"""The same queue written in other ways: what the engines' speed and answers are held against."""
