"""When the database fails: what an error means, what is done about it, how the log is opened again.

``trouble`` every error passes here · ``failures`` what it means · ``remedies`` what is done with the open file ·
``standing`` the state that ``status`` shows · ``opening``, ``preparation``, ``spills`` the way to an open database."""
