<!DOCTYPE html>
<html lang="de">
<head><meta charset="utf-8"><title>@yield('title')</title><link rel="stylesheet" href="{{ asset('style.css') }}"></head>
<body>
@auth
<form id="logout" method="post" action="{{ url('/logout') }}">@csrf <button>Goodbye, {{ Auth::user()->name }}</button></form>
@endauth
@if (session('status'))
<p class="status">{{ session('status') }}</p>
@endif
@foreach ($errors->all() as $error)
<p class="error">{{ $error }}</p>
@endforeach
@yield('content')
</body>
</html>
